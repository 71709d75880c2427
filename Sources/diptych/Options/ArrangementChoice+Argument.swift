public import ArgumentParser
public import InContextEdit

extension ArrangementChoice: ExpressibleByArgument {}
