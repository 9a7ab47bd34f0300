"""What gives tables other content, or keeps it well, outside of runs of plans."""
