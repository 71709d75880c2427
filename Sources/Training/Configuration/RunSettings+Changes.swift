import Yams

/// A key whose value is another than before.
public struct ConfigurationChange: Sendable, Hashable {
    /// The key with its sections.
    public var key: String
    /// The value before.
    public var before: String
    /// The value now.
    public var now: String
}

/// What may change between the sessions of a run.
extension RunSettings {
    /// The keys whose values differ, in the order of the schema.
    func changes(from other: Self) -> [ConfigurationChange] {
        var changes: [ConfigurationChange] = []
        for section in Self.schema.optionalSections where section.isPresent(self) != section.isPresent(other) {
            let words = { (isThere: Bool) in isThere ? "a section" : "null" }
            changes.append(
                ConfigurationChange(
                    key: section.key, before: words(section.isPresent(other)), now: words(section.isPresent(self))))
        }
        for field in Self.schema.fields where has(field.key) && other.has(field.key) {
            let (now, before) = (field.node(self), field.node(other))
            if now != before {
                changes.append(ConfigurationChange(key: field.key, before: brief(before), now: brief(now)))
            }
        }
        return changes
    }

    /// Throws ``ConfigurationError`` with every key that has changed and may not.
    static func requireChangeable(
        _ changes: [ConfigurationChange], _ now: Self, _ earlier: Self, source: String
    ) throws {
        func isFree(_ key: String) -> Bool { schema.changeable.contains { key == $0 || key.hasPrefix($0 + ".") } }
        var faults = changes.filter { !isFree($0.key) }.map { change in
            (
                change.key, "expected \(change.before), as the run began and has to go on, found \(change.now)"
            )
        }
        faults += now.conflicts(with: earlier).map { ($0.key, $0.message) }
        guard faults.isEmpty else {
            throw ConfigurationError(faults.map { .init(source, key: $0.0, message: $0.1) })
        }
    }
}
