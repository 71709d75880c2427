import Foundation
package import TensorCore

/// Numbers the distances between tokens: near ones each their own bucket, far ones logarithmically wider ones, those
/// after a token apart from those before it.
///
/// Raffel et al. 2020, "Exploring the limits of transfer learning with a unified text-to-text transformer", section 2.1;
/// `T5Attention._relative_position_bucket` (`transformers/models/t5/modeling_t5.py`), which computes in `float32` too.
package struct RelativePositionBuckets {
    /// The number of buckets, both directions together.
    package let count: Int
    /// The distance from which on all share the last bucket of their direction.
    package let maxDistance: Int

    /// Takes the two numbers of a configuration.
    package init(count: Int, maxDistance: Int) {
        self.count = count
        self.maxDistance = maxDistance
    }

    /// The bucket of a token that lies `offset` places after the one that looks at it.
    package func bucket(offset: Int) -> Int {
        let half = count / 2
        let exact = half / 2
        let distance = abs(offset)
        let start = offset > 0 ? half : 0
        if distance < exact { return start + distance }
        let share = log(Float(distance) / Float(exact)) / Float(log(Double(maxDistance) / Double(exact)))
        return start + min(exact + Int(share * Float(half - exact)), half - 1)
    }

    /// `[length, length]`, `int32`: the bucket of column `j` as row `i` sees it.
    package func table(length: Int) -> Tensor {
        let byOffset = (1 - length..<max(length, 1)).map { Int32(bucket(offset: $0)) }
        let rows = (0..<length).flatMap { row in (0..<length).map { byOffset[$0 - row + length - 1] } }
        return Tensor(rows, [length, length])
    }
}
