public import ArgumentParser
public import InContextEdit

extension NoiseDraws: ExpressibleByArgument {}
