import Foundation
import TensorCore
import Yams

/// What may change between the sessions of a run.
extension RunConfiguration {
    /// A key whose value is another than before.
    public struct Change: Sendable, Hashable {
        /// The key with its sections.
        public var key: String
        /// The value before.
        public var before: String
        /// The value now.
        public var now: String
    }

    /// Keys and sections that may change without making it another run: how long it takes and how fast it learns from here
    /// on, where its files lie, and what changes no result. That the files are the same ones, their fingerprints tell.
    static let changeable = [
        "training.steps", "training.threads", "training.memory", "training.gradient_checkpointing",
        "training.stop_on_nan", "optimizer.learning_rate", "optimizer.weight_decay", "optimizer.gradient_clip",
        "schedule", "base.path", "base.transformer", "base.vae", "base.clip", "base.t5", "base.vae_tiling",
        "base.vae_tile_size", "data.path", "data.also", "data.allow_outside", "data.allow_mismatch", "data.cache",
        "data.cache_latents", "data.on_error", "data.check_first", "data.workers", "data.prefetch",
        "adapter.start_from",
        "output",
    ]

    /// The keys whose values differ, in the order of the schema.
    func changes(from other: RunConfiguration) -> [Change] {
        var changes: [Change] = []
        for section in Self.optionalSections where section.isPresent(self) != section.isPresent(other) {
            let words = { (isThere: Bool) in isThere ? "a section" : "null" }
            changes.append(
                Change(
                    key: section.key, before: words(section.isPresent(other)), now: words(section.isPresent(self))))
        }
        for field in Self.schema where has(field.key) && other.has(field.key) {
            let (now, before) = (field.node(self), field.node(other))
            if now != before { changes.append(Change(key: field.key, before: brief(before), now: brief(now))) }
        }
        return changes
    }

    /// Throws ``ConfigurationError`` with every key that has changed and may not.
    static func requireChangeable(
        _ changes: [Change], _ now: RunConfiguration, _ earlier: RunConfiguration, source: String
    ) throws {
        func isFree(_ key: String) -> Bool { changeable.contains { key == $0 || key.hasPrefix($0 + ".") } }
        var faults = changes.filter { !isFree($0.key) }.map { change in
            (
                change.key, "expected \(change.before), as the run began and has to go on, found \(change.now)"
            )
        }
        // A dataset may have moved, but what is chosen of it stays.
        func choices(_ run: RunConfiguration) -> [Dataset] {
            run.data.also.map { dataset in
                var dataset = dataset
                dataset.path = ""
                return dataset
            }
        }
        if choices(now) != choices(earlier) {
            faults.append(
                ("data.also", "expected the datasets that the run began with, read alike, found others"))
        }
        // A cache that rounds is another source than none.
        if (now.data.cache == nil) != (earlier.data.cache == nil), now.data.cachePrecision != .float32 {
            faults.append(
                (
                    "data.cache",
                    "expected \(earlier.data.cache ?? "no cache") as before, since a cache rounds "
                        + "(data.cache_precision), found \(now.data.cache ?? "none")"
                ))
        }
        guard faults.isEmpty else {
            throw ConfigurationError(faults.map { .init(source, key: $0.0, message: $0.1) })
        }
    }
}
