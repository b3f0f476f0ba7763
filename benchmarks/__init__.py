"""Speed, memory and truth, side by side with what one would use instead."""
