public import ArgumentParser
public import TensorIO

extension ImageBackground: ExpressibleByArgument {}
