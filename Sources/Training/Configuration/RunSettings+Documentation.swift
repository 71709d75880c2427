import Yams

/// What is to be known of one key of a configuration.
public struct ConfigurationKey: Encodable, Sendable {
    /// The key with its sections, such as `training.steps`.
    public let key: String
    /// What is expected there, in words.
    public let type: String
    /// What it means, in a line.
    public let summary: String
    /// Whether it has no default.
    public let isRequired: Bool
    /// The default as YAML; nil where there is none.
    public let defaultValue: String?
}

extension RunSettings {
    /// Every key of a configuration, in the order of `documentation`.
    public static var documentedKeys: [ConfigurationKey] {
        schema.fields.map { field in
            ConfigurationKey(
                key: field.key, type: field.type, summary: field.summary, isRequired: field.isRequired,
                defaultValue: field.isRequired ? nil : flow(field.node(allSections)))
        }
    }

    /// Every section with its defaults, also those that are absent by default.
    private static var allSections: Self {
        var configuration = schema.blank()
        for section in schema.optionalSections { section.setPresent(true, &configuration) }
        return configuration
    }

    /// A value in one line of YAML.
    static func flow(_ node: Node) -> String {
        guard let items = node.sequence else { return node.scalar.map(scalarText) ?? "{}" }
        return "[" + items.map(flow).joined(separator: ", ") + "]"
    }

    private static func scalarText(_ scalar: Node.Scalar) -> String {
        guard scalar.style == .doubleQuoted else { return scalar.string }
        return "\"" + scalar.string.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Every key with its sections, such as `training.steps`, in the order of `documentation`.
    public static var keys: [String] { schema.fields.map(\.key) }

    /// Every key with its type, its default and what it means.
    public static var documentation: String {
        let example = allSections
        var text = ""
        var section: String?
        for field in schema.fields {
            if field.section != section {
                section = field.section
                text += (text.isEmpty ? "" : "\n") + field.section
                if let optional = schema.optionalSections.first(where: { $0.key == field.section }) {
                    text += "  (\(optional.summary))"
                }
                text += "\n"
            }
            text += "  \(field.name): \(field.type)\n      \(field.summary)\n"
            let node = field.node(example)
            if field.isRequired {
                text += "      Required.\n"
            } else if let items = node.sequence, items.count > 2 {
                text += "      Default:\n" + items.map { "        - \($0.scalar?.string ?? "")\n" }.joined()
            } else if let items = node.sequence {
                text += "      Default: [\(items.map { $0.scalar?.string ?? "" }.joined(separator: ", "))]\n"
            } else {
                text += "      Default: \(node.scalar?.string ?? "")\n"
            }
        }
        return text
    }
}
