"""Join the rooms: find the images, plan, segment, write, collect, report."""
