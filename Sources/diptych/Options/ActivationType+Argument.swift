public import ArgumentParser
public import TensorCore

extension ActivationType: ExpressibleByArgument {}
