import Synchronization
import TensorCore
public import TensorIO

extension PairDataset {
    /// Decodes both pictures of every pair, or of those of the given numbers, and says which cannot be read.
    ///
    /// `progress` is told how many pairs are done, of how many; calls never overlap, but come from several threads.
    public func unreadablePairs(
        among indices: [Int]? = nil, progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) -> [FileError] {
        let indices = indices ?? Array(records.indices)
        let state = Mutex((faults: [(Int, FileError)](), done: 0))
        parallelFor(indices.count, grain: 1) { range in
            for i in range {
                var found: [FileError] = []
                for file in [files[indices[i]].source, files[indices[i]].target] {
                    do {
                        try PairListing.withImage(file, shards) { _ in }
                    } catch {
                        found.append(fault(at: indices[i], error))
                    }
                }
                state.withLock { state in
                    state.faults += found.map { (i, $0) }
                    state.done += 1
                    progress(state.done, indices.count)
                }
            }
        }
        return state.withLock { $0.faults }.enumerated().sorted {
            ($0.element.0, $0.offset) < ($1.element.0, $1.offset)
        }
        .map(\.element.1)
    }
}
