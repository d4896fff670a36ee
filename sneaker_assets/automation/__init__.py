"""What starts a run: jobs, schedules and sensors."""
