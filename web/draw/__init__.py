"""Pictures as geometry: what goes in is data, what comes out are places and lengths; nothing here knows HTML."""
