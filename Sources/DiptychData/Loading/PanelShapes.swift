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
        precondition(!shapes.isEmpty, "no shapes")
        self.shapes = shapes
        if shapes.count == 1 {
            shapeOfPair = [Int](repeating: 0, count: dataset.records.count)
            return
        }
        let ratios = shapes.map { log(Double($0.panelWidth) / Double($0.panelHeight)) }
        let result = Mutex([Int?](repeating: nil, count: dataset.records.count))
        parallelFor(dataset.records.count, grain: 16) { range in
            for i in range {
                guard let size = try? dataset.sourceSize(at: i) else { continue }
                let ratio = log(Double(size.width) / Double(size.height))
                let nearest = ratios.indices.min { abs(ratios[$0] - ratio) < abs(ratios[$1] - ratio) }!
                result.withLock { $0[i] = nearest }
            }
        }
        let found = result.withLock { $0 }
        let counts = found.reduce(into: [Int](repeating: 0, count: shapes.count)) {
            if let shape = $1 { $0[shape] += 1 }
        }
        let commonest = counts.firstIndex(of: counts.max()!)!
        shapeOfPair = found.map { $0 ?? commonest }
    }

    /// The shape of a pair's diptych.
    public subscript(pair: Int) -> DiptychGeometry { shapes[shapeOfPair[pair]] }
}
