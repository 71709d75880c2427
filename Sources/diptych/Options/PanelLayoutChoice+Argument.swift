public import ArgumentParser
public import InContextEdit

extension PanelLayoutChoice: ExpressibleByArgument {}
