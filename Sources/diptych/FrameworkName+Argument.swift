public import ArgumentParser
public import InContextEdit

extension FrameworkName: ExpressibleByArgument {}
