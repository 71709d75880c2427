/// Why adapters cannot be put into a model or written to a file.
public enum AdapterError: Error, CustomStringConvertible, Equatable, Sendable {
    /// Settings that cannot be used: every fault, one sentence each.
    case configuration([String])
    /// A pattern of a method's targets that no linear layer of the model matches.
    case unmatched(method: String, pattern: String, layers: Int, nearest: String?)
    /// Layers that already have an adapter.
    case occupied([String])
    /// An adapter that sees the pooled text, in a model whose pooled width was not given.
    case unknownPooledWidth
    /// A format that cannot hold these adapters.
    case unwritable(format: AdapterFormat, reason: String)
    /// Adapters of layers that a format keeps as one, and that cannot be made one.
    case unjoinable(String)

    /// One line.
    public var description: String {
        switch self {
        case .configuration(let faults): return "adapters: " + faults.joined(separator: "; ")
        case .unmatched(let method, let pattern, let layers, let nearest):
            let hint = nearest.map { " (did you mean '\($0)'?)" } ?? ""
            return
                "\(method).targets: expected a pattern that matches a linear layer, found '\(pattern)', which matches none of "
                + "\(layers)\(hint)"
        case .occupied(let layers):
            let rest = layers.count > 1 ? " and \(layers.count - 1) more" : ""
            return "adapters: expected layers without an adapter, found one at '\(layers[0])'\(rest)"
        case .unknownPooledWidth:
            return "routerInput: 'tokenAndPooledText' needs the width of the model's pooled text, and none was given"
        case .unjoinable(let reason): return "adapters: \(reason)"
        case .unwritable(let format, let reason): return "adapter format '\(format.rawValue)': \(reason)"
        }
    }
}
