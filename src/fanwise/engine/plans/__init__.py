"""What a run will ask for and how long it will take, before it: nothing is sent."""
