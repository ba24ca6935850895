"""Moving leases: between databases, through a file that a person can review, and from NetBox."""
