import TensorIO
import Yams

/// What is wrong with a value, and its line where that is not the key's.
struct ConfigurationMessage: Sendable {
    var line: Int?
    var text: String
}

/// One key of a configuration: its name, type, bounds, documentation and place in the value.
struct ConfigurationField<Root: RunSettings>: Sendable {
    /// The key with its sections, such as `training.steps`.
    let key: String
    /// What is expected there, in words.
    let type: String
    /// One line for the documentation.
    let summary: String
    /// Whether the key has no default.
    let isRequired: Bool
    /// The key that it had in earlier versions, which is still read.
    let formerKey: String?
    /// What other trainers call it, for suggestions only.
    let peerNames: [String]
    /// Takes the value from a node; returns messages when the node is of another type.
    let set: @Sendable (Node, inout Root) -> [ConfigurationMessage]
    /// The value as a node.
    let node: @Sendable (Root) -> Node
    /// A message when the value is out of bounds.
    let fault: @Sendable (Root) -> String?

    init<Value>(
        _ key: String, _ path: any WritableKeyPath<Root, Value> & Sendable,
        _ value: ConfigurationValue<Value>,
        _ summary: String, isRequired: Bool = false, formerKey: String? = nil, peerNames: [String] = []
    ) {
        self.key = key
        type = value.name
        self.summary = summary
        self.isRequired = isRequired
        self.formerKey = formerKey
        self.peerNames = peerNames
        set = { node, configuration in
            guard let new = value.read(node) else {
                let inner = value.explain(node)
                if !inner.isEmpty { return inner }
                let nearest = node.scalar.flatMap { nearestName(to: $0.string, among: value.words) }
                let text = "expected \(value.name), found \(brief(node))"
                return [
                    ConfigurationMessage(line: nil, text: text + (nearest.map { " (did you mean '\($0)'?)" } ?? ""))
                ]
            }
            configuration[keyPath: path] = new
            return []
        }
        node = { value.write($0[keyPath: path]) }
        fault = { configuration in
            let current = configuration[keyPath: path]
            return value.isValid(current) ? nil : "expected \(value.name), found \(brief(value.write(current)))"
        }
    }

    /// The key without its sections.
    var name: String { String(key.split(separator: ".").last!) }
    /// The section that the key stands in.
    var section: String { key.split(separator: ".").dropLast().joined(separator: ".") }
}

/// A section that may be absent.
struct OptionalSection<Root: RunSettings>: Sendable {
    /// The section's name, such as `adapter.moe`.
    let key: String
    /// One line for the documentation.
    let summary: String
    let isPresent: @Sendable (Root) -> Bool
    /// Adds the section with its defaults unless it is there already, or removes it.
    let setPresent: @Sendable (Bool, inout Root) -> Void
}
