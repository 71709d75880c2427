import Autograd
import Dispatch
import Synchronization
import TensorCore

/// The blocks of a model in the order of their use, whose weights lie in a mapped file: the next block's pages are read
/// ahead while one computes, and where memory is short those behind are given back.
///
/// ```swift
/// let stream = WeightStream(blocks)
/// for (index, block) in blocks.enumerated() {
///     stream.enter(index)
///     x = block(x)
/// }
/// stream.leave()
/// ```
///
/// Nothing but time and memory depends on it: pages that are missing are read when they are touched.
public final class WeightStream {
    /// Whether pages behind the part in use are given back.
    public var memory: MemoryPolicy
    private let ranges: [[MappedRange]]
    /// The part in use; several threads may run the model.
    private let current = Mutex<Int?>(nil)
    private let reader = DispatchQueue(label: "diptych.weights", qos: .utility)

    /// Streams the frozen weights of these parts.
    public init(_ parts: [any Module], memory: MemoryPolicy = MemoryPolicy()) {
        self.memory = memory
        ranges = parts.map { part in part.namedParameters().compactMap { $0.parameter.stored.mappedRange } }
    }

    /// The size of all mapped weights.
    public var byteCount: Int { ranges.reduce(0) { $0 + Self.byteCount($1) } }

    /// The most that is in memory at a time where pages are given back: a part and the one that is read ahead.
    public var windowByteCount: Int {
        let sizes = ranges.map(Self.byteCount)
        return zip(sizes, sizes.dropFirst() + [0]).map(+).max() ?? 0
    }

    private static func byteCount(_ ranges: [MappedRange]) -> Int { ranges.reduce(0) { $0 + $1.byteCount } }

    /// Announces that a part begins: forwards, backwards or, when it is the one of the last call, again.
    public func enter(_ index: Int) {
        let previous = current.withLock { current in
            defer { current = index }
            return current
        }
        if index == previous { return }
        let isBackwards = previous.map { index < $0 && !($0 == ranges.count - 1 && index == 0) } ?? false
        let next = isBackwards ? index - 1 : (index + 1) % ranges.count
        if let previous, previous != next, memory.releasesWeights { release(previous) }
        guard ranges.indices.contains(next) else { return }
        let ahead = ranges[next]
        reader.async { for range in ahead { range.prefetch() } }
    }

    /// Announces that the model is done for now: where memory is short nothing of it stays.
    public func leave() {
        current.withLock { $0 = nil }
        guard memory.releasesWeights else { return }
        reader.sync {}
        for index in ranges.indices { release(index) }
    }

    private func release(_ index: Int) { for range in ranges[index] { range.release() } }
}
