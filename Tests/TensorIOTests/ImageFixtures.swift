import Foundation
import TensorCore
import TensorIO
import TestSupport

/// Reference pictures; `Tests/Reference/make_image_fixtures.py` says how they were made.
enum ImageFixtures {
    static func path(_ name: String) -> String { Fixtures.path("images/" + name) }

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path(name)))) }

    static func archive(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: path(name)) }

    /// A byte tensor `[height, width, 3]` as a picture.
    static func image(_ tensor: Tensor) -> Image {
        Image(width: tensor.shape[1], height: tensor.shape[0], pixels: tensor.elements(as: UInt8.self))
    }

    /// A picture with smooth parts and edges, the same at every call.
    static func pattern(width: Int, height: Int) -> Image {
        var image = Image(width: width, height: height)
        for y in 0..<height {
            for x in 0..<width {
                image[x, y] = [UInt8(x * 255 / width), UInt8(y * 255 / height), x / 5 % 2 == y / 3 % 2 ? 200 : 30]
            }
        }
        return image
    }
}

extension Image {
    /// The largest distance between two values of the same place, 256 when the sizes differ.
    func distance(to other: Image) -> Int {
        guard width == other.width, height == other.height else { return 256 }
        return zip(pixels, other.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
    }

    /// Decodes bytes of a test.
    init(_ bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try Image(decoding: $0, name: "test") }
    }
}
