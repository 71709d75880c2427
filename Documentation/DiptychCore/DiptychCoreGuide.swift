// Holds the catalogue of the product DiptychCore, whose modules are documented by themselves. Built by `make docs` alone.
