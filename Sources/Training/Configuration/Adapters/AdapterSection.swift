import Adapters

/// A section of `adapter` in a configuration: the settings of one method, and the layers that it adapts. A method's section
/// is one file with its settings, listed in ``all``.
struct AdapterSection: Sendable {
    /// The section's keys.
    let fields: [ConfigurationField<RunConfiguration>]
    /// The section as one that may be absent.
    let section: OptionalSection<RunConfiguration>
    /// What the section asks for; nil where it is absent.
    let rule: @Sendable (RunConfiguration) -> AdapterRule?
    /// What is wrong with the section's values together.
    var faults: @Sendable (RunConfiguration) -> [(key: String, expected: String, found: String)] = { _ in [] }

    /// Every section, in the order of the documentation. A layer that the targets of several match gets the adapter of the
    /// later one.
    static let all: [AdapterSection] = [.lora, .dora, .lokr, .moe]

    /// The sections' names: `lora, moe`.
    static var names: String {
        all.map { String($0.section.key.split(separator: ".").last ?? "") }.joined(separator: ", ")
    }
}
