import ArgumentParser
import TensorCore

/// The types that activations may have, by the words of the command line.
enum ActivationType: String, ExpressibleByArgument, CaseIterable {
    case float32, bfloat16
    var dtype: DType { self == .float32 ? .float32 : .bfloat16 }
}
