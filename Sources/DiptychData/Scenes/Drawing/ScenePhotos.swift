import Foundation
import Synchronization
package import TensorIO

/// The photographs that serve level 3 as backgrounds and pictures, by name.
public final class ScenePhotos: Sendable {
    /// No photographs: what levels 1 and 2 need.
    public static let none = ScenePhotos(images: [:])

    /// Their names in order.
    public let names: [String]
    private let images: [String: Image]
    private let crops = Mutex<[Key: Image]>([:])

    private struct Key: Hashable {
        let name: String
        let number: Int
        let size: Int
    }

    /// How many crops there are of each photograph; number 0 is the largest square in the middle.
    public static let cropCount = 16

    /// Takes pictures by name.
    package init(images: [String: Image]) {
        self.images = images
        names = images.keys.sorted()
    }

    /// Reads every picture of a folder; a file's name without its extension is the photograph's name, as captions say it.
    ///
    /// Throws ``DatasetError`` that names what cannot be read or is smaller than 64 x 64 pixels, and `FileError`
    /// when the folder has no pictures.
    public convenience init(folder: String) throws {
        let files = try PhotoFolder(path: folder) { photo in
            photo.width < 64 || photo.height < 64 ? ("at least 64x64 pixels", "\(photo.width)x\(photo.height)") : nil
        }
        var images: [String: Image] = [:]
        for index in 0..<files.count {
            let name = (files.paths[index] as NSString).lastPathComponent
            let stem = (name as NSString).deletingPathExtension.replacing("_", with: " ").replacing("-", with: " ")
            images[stem] = try files.photo(index)
        }
        self.init(images: images)
    }

    /// A square crop of a photograph.
    func crop(_ name: String, number: Int, size: Int) -> Image {
        guard let photo = images[name] else { preconditionFailure("no photograph '\(name)'") }
        let key = Key(name: name, number: number, size: size)
        if let known = crops.withLock({ $0[key] }) { return known }
        let most = min(photo.width, photo.height)
        var word = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
        func next(_ bound: Int) -> Int {
            word = (word ^ word >> 29) &* 0xBF58_476D_1CE4_E5B9 &+ 0x94D0_49BB
            return Int(word >> 33) % max(bound, 1)
        }
        let side = number == 0 ? most : most / 2 + next(most / 2)
        let x = number == 0 ? (photo.width - side) / 2 : next(photo.width - side + 1)
        let y = number == 0 ? (photo.height - side) / 2 : next(photo.height - side + 1)
        let crop = photo.crop(x: x, y: y, width: side, height: side)
            .resized(width: size, height: size, filter: .bicubic)
        crops.withLock { kept in
            if kept.count < 256 { kept[key] = crop }
        }
        return crop
    }
}
