import Yams

extension RunConfiguration {
    /// Every key with its sections, such as `training.steps`, in the order of ``documentation``.
    public static var keys: [String] { schema.map(\.key) }

    /// Every key with its type, its default and what it means.
    public static var documentation: String {
        let example = {
            var configuration = RunConfiguration(basePath: "", dataPath: "", outputFolder: "")
            configuration.adapter.moe = MoE()
            return configuration
        }()
        var text = ""
        var section: String?
        for field in schema {
            if field.section != section {
                section = field.section
                text += (text.isEmpty ? "" : "\n") + field.section
                if let optional = optionalSections.first(where: { $0.key == field.section }) {
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
