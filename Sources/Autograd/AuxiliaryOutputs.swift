/// Values that a layer deep inside a model hands to whoever runs the model: a router's losses, say.
///
/// They are part of the tape: a loss made from them sends gradients back into the layer, also when the layer runs
/// inside ``checkpoint(_:_:)``.
///
/// ```swift
/// let (output, side) = AuxiliaryOutputs.collecting { model(input) }
/// ```
public struct AuxiliaryOutputs {
    /// What one layer handed over.
    public struct Entry {
        /// Who handed it over.
        public let name: String
        /// The values, in an order that the layer defines.
        public let values: [Variable]
    }

    /// A box that the running task can see; only the thread that collects ever touches it.
    final class Collector: @unchecked Sendable {
        var entries: [Entry] = []
    }

    @TaskLocal static var collector: Collector?

    /// Hands values over; without effect when nobody collects.
    public static func emit(_ name: String, _ values: [Variable]) {
        collector?.entries.append(Entry(name: name, values: values))
    }

    /// Whether somebody collects, so that a layer can skip work that only the auxiliary outputs need.
    public static var isCollecting: Bool { collector != nil }

    /// Runs `body` and gives its result with all that was handed over meanwhile, in order.
    public static func collecting<Result>(_ body: () throws -> Result) rethrows -> (Result, [Entry]) {
        try collecting(if: true, body)
    }

    /// Without effect on what `body` sees when `isWanted` is false: then nobody collects.
    static func collecting<Result>(if isWanted: Bool, _ body: () throws -> Result) rethrows -> (Result, [Entry]) {
        guard isWanted else { return (try $collector.withValue(nil, operation: body), []) }
        let box = Collector()
        let result = try $collector.withValue(box, operation: body)
        return (result, box.entries)
    }
}
