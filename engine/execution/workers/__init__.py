"""What carries tasks out: threads and processes, and what is heard of them while they do."""
