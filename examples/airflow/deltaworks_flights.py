# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
"""A DAG of Airflow that materializes a day of flights and everything below it, with no plugin.

The run's id is made of Airflow's own, so a task that Airflow tries again, or that somebody clears, goes on with what is
left: what commits of this id hold already is not made again. Exit code 2 says that the request, the
settings or the definitions are wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

RUN_ID = "{{ dag.dag_id }}-{{ ds_nodash }}"
COMMAND = ["materialize", "flights+", "--partition", "{{ ds }}", "--run-id", RUN_ID]

with DAG(
    dag_id="deltaworks_flights",
    schedule="0 6 * * *",
    start_date=datetime(2013, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
) as dag:
    # One of the two is enough: a task on the worker's own machine, or in a pod of its own.
    here = BashOperator(task_id="here", bash_command=f"cd /opt/flights && .venv/bin/deltaworks {' '.join(COMMAND)}")
    in_a_pod = KubernetesPodOperator(
        task_id="in_a_pod",
        name="deltaworks-flights",
        image="registry.example/flights:1",
        arguments=COMMAND,
        env_vars={"DELTAWORKS_LAKE": "s3://lake/flights"},
    )
