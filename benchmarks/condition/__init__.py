"""What the condition model finds and does not find in recordings that nobody on this project made."""
