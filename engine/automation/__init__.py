"""What runs by itself: ticks of schedules and sensors, and the daemon that carries them out."""
