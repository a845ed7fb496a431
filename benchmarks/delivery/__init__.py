"""What a delivery costs and how long it takes; a module for each measurement."""

GROUP = "delivery"
