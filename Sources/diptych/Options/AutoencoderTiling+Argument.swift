public import ArgumentParser
public import Models

extension AutoencoderTiling.Mode: ExpressibleByArgument {}
