"""Which partitions of an upstream a partition reads: as declared, and worked out between two definitions."""
