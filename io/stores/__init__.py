"""Where the files of a lake can lie: a local folder, or a bucket of an object store."""
