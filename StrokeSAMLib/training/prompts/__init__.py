"""Training of `prompt-unet`: synthetic objects in cubes of a scan, a simulated user, and a loss that weighs clicks."""
