import Glibc
public import InContextEdit
import Synchronization
import TensorCore
import TensorIO

/// The shapes that diptychs may have, and which of them each pair of a dataset gets.
public struct PanelShapes: Sendable, Hashable {
    /// The shapes.
    public let shapes: [DiptychGeometry]
    /// The number of each pair's shape.
    public let shapeOfPair: [Int]

    /// One shape for all of `count` pairs.
    public init(_ shape: DiptychGeometry, count: Int) {
        shapes = [shape]
        shapeOfPair = [Int](repeating: 0, count: count)
    }

    /// For each pair the shape whose panel's proportions are nearest to those of its source, as ratios are compared; of two that
    /// are equally near, the first.
    ///
    /// A source without a readable size gets the commonest shape, where others can stand in for it: who reads it says what is
    /// wrong.
    public init(_ shapes: [DiptychGeometry], of dataset: PairDataset) {
        let count = dataset.records.count
        let sizes = Mutex([PictureSize?](repeating: nil, count: count))
        if shapes.count > 1 {
            parallelFor(count, grain: 16) { range in
                for i in range {
                    guard let size = try? dataset.sourceSize(at: i) else { continue }
                    sizes.withLock { $0[i] = PictureSize(size.width, size.height) }
                }
            }
        }
        self.init(shapes, sizes: sizes.withLock { $0 })
    }

    /// The same by the sizes of the sources, where they are known.
    init(_ shapes: [DiptychGeometry], sizes: [PictureSize?]) {
        precondition(!shapes.isEmpty, "no shapes")
        self.shapes = shapes
        if shapes.count == 1 {
            shapeOfPair = [Int](repeating: 0, count: sizes.count)
            return
        }
        let ratios = shapes.map { log(Double($0.panelWidth) / Double($0.panelHeight)) }
        let found = sizes.map { size in
            size.map { size in
                let ratio = log(Double(size.width) / Double(size.height))
                return ratios.indices.min { abs(ratios[$0] - ratio) < abs(ratios[$1] - ratio) }!
            }
        }
        let counts = found.reduce(into: [Int](repeating: 0, count: shapes.count)) {
            if let shape = $1 { $0[shape] += 1 }
        }
        let commonest = counts.firstIndex(of: counts.max()!)!
        shapeOfPair = found.map { $0 ?? commonest }
    }

    /// The shape of a pair's diptych.
    public subscript(pair: Int) -> DiptychGeometry { shapes[shapeOfPair[pair]] }
}
