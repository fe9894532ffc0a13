"""What the studio is doing: its runs, its pages, and who trains and who cuts for them."""
