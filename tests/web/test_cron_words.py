"""When schedules tick, as people say it."""

import pytest

from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.web.views.cron_words import cron_words


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 6 * * *", "every day at 06:00"),
        ("*/5 * * * *", "every 5 minutes"),
        ("* * * * *", "every minute"),
        ("2-59/5 * * * *", "every 5 minutes from 00:02 on"),
        ("@hourly", "every hour"),
        ("15 * * * *", "every hour at minute 15"),
        ("0 */6 * * *", "every 6 hours"),
        ("*/7 * * * *", "every day 216 times"),
        ("0 8,12,17 * * 1-5", "on weekdays at 08:00, 12:00 and 17:00"),
        ("0 9,17 * * *", "every day at 09:00 and 17:00"),
        ("*/15 8-17 * * 1-5", "every 15 minutes from 08:00 to 17:45 on weekdays"),
        ("30 7 * * sat,sun", "on weekends at 07:30"),
        ("0 0 1,l * *", "on the last day and day 1 of the month at 00:00"),
        ("0 5 * * 5#3", "on the third Friday of the month at 05:00"),
        ("0 5 * jan,jul L1", "on the last Monday of the month in January and July at 05:00"),
        ("0 5 13 * fri", "on Friday or on day 13 of the month at 05:00"),
    ],
)
def test_a_cron_in_words(cron, words):
    assert cron_words(Cron(cron)) == words
