"""Which partitions there are: by time, by key, by several dimensions, and sets of them."""
