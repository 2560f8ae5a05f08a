"""What an agent keeps in its state folder, and in a Secret where the folder does not outlive its pod."""
