import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport

/// Datasets of made-up pictures, no two alike: `s0.png` and `t0.png`, `s1.png` and `t1.png`, …
enum SyntheticPairs {
    /// Writes pairs, of which the sizes and instructions are given by number, and their list.
    static func write(
        _ count: Int, to folder: URL, size: (_ index: Int) -> (width: Int, height: Int),
        instruction: (_ index: Int) -> String
    ) throws {
        let records = try (0..<count).map { index in
            let (width, height) = size(index)
            for (place, side) in ["s", "t"].enumerated() {
                try SyntheticPhoto.make(width: width, height: height, seed: 2 * index + place)
                    .write(to: folder.appending(path: "\(side)\(index).png").path)
            }
            return PairRecord(
                source: "s\(index).png", target: "t\(index).png", fields: PromptFields(instruction: instruction(index)))
        }
        try PairDataset.write(records, to: folder)
    }
}
