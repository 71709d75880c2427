import TensorIO

/// The width and height of a picture in pixels.
struct PictureSize: Sendable, Hashable, CustomStringConvertible {
    var width: Int
    var height: Int

    init(_ width: Int, _ height: Int) { (self.width, self.height) = (width, height) }
    init(_ image: Image) { self.init(image.width, image.height) }

    var description: String { "\(width)x\(height)" }
}

/// What makes two pictures no pair: one set of rules for `data check`, `train` and `data encode`.
enum PairRules {
    /// What is wrong with the size of a target, to train on; nil when nothing is.
    ///
    /// The same picture in another size becomes the same panel, one of other proportions is squashed otherwise than its
    /// source, so that nothing of it lies where the source has it.
    static func fault(
        ofTarget target: PictureSize, _ source: PictureSize, _ reading: PairReading
    ) -> (expected: String, found: String)? {
        if reading.allowsMismatch || haveSameProportions(source, target) { return nil }
        return ("the proportions of the source, \(source) (data.allow_mismatch takes others)", "\(target)")
    }

    /// What is wrong with the size of a picture that is compared with the source pixel by pixel.
    static func fault(
        ofCompared picture: PictureSize, _ source: PictureSize
    ) -> (expected: String, found: String)? {
        picture == source ? nil : ("the size of the source, \(source)", "\(picture)")
    }

    /// Whether one size is the other, scaled and rounded to whole pixels.
    static func haveSameProportions(_ a: PictureSize, _ b: PictureSize) -> Bool {
        2 * abs(a.width * b.height - b.width * a.height) <= max(a.width, a.height, b.width, b.height)
    }

    /// A fault of a picture of a pair with its place in the dataset, the picture's own file where the list does not show it.
    static func fault(_ error: any Error, _ picture: String, list: String, place: String) -> FileError {
        let fault = error as? FileError
        let file = fault.map { $0.path.hasPrefix(list) ? "" : " (\($0.path))" } ?? ""
        return FileError(
            list, key: "\(place): \(picture)", expected: fault?.expected ?? "a picture",
            found: (fault?.found ?? "\(error)") + file)
    }
}
