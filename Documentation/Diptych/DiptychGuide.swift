// Holds the catalogue of the product Diptych, whose modules are documented by themselves. Built by `make docs` alone.
