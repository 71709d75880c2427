import Synchronization
public import TensorCore
public import TensorIO

extension PairDataset {
    /// What a look at every picture finds.
    public struct Inspection: Sendable {
        /// The pairs that cannot be trained on, in their order.
        public var faults: [FileError] = []
        /// How many pictures have transparent parts.
        public var transparentPictures = 0
    }

    /// Decodes both pictures of every pair, or of those of the given numbers, and finds the pairs that ``DatasetCheck``
    /// calls faulty.
    ///
    /// Calls of `progress` never overlap, but come from several threads.
    public func inspect(
        among indices: [Int]? = nil, progress: @Sendable (WorkProgress) -> Void = { _ in }
    ) -> Inspection {
        let indices = indices ?? Array(records.indices)
        let state = Mutex(
            (
                faults: [(Int, FileError)](), transparent: 0,
                progress: WorkProgress("pairs checked", total: indices.count)
            ))
        parallelFor(indices.count, grain: 1) { range in
            for i in range {
                let (pair, file) = (indices[i], files[indices[i]])
                var (found, sizes, transparent): ([FileError], [PictureSize], Int) = ([], [], 0)
                for (picture, name) in [(file.source, "source"), (file.target, "target")] {
                    do {
                        var whole = file.reading
                        whole.cropBottom = 0
                        try PairListing.withImage(picture, shards, whole) { image, isTransparent in
                            sizes.append(PictureSize(image))
                            transparent += isTransparent ? 1 : 0
                        }
                    } catch {
                        found.append(PairRules.fault(error, name, list: file.list, place: file.place))
                    }
                }
                if sizes.count == 2, let fault = fault(at: pair, (sizes[0], sizes[1])) { found.append(fault) }
                state.withLock { state in
                    state.faults += found.map { (i, $0) }
                    state.transparent += transparent
                    state.progress.done += 1
                    progress(state.progress)
                }
            }
        }
        let (faults, transparent, _) = state.withLock { $0 }
        let ordered = faults.enumerated().sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
        return Inspection(faults: ordered.map(\.element.1), transparentPictures: transparent)
    }
}
