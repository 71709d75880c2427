package import TensorIO

/// Edits that move pixels and change none.
package enum GeometryEdits {
    /// Left and right exchanged; twice is the identity.
    package static func mirrored(_ image: Image) -> Image { image.oriented(.mirrored) }

    /// Top and bottom exchanged; twice is the identity.
    package static func flipped(_ image: Image) -> Image { image.oriented(.flipped) }

    /// Turned by 180 degrees; twice is the identity.
    package static func upsideDown(_ image: Image) -> Image { image.oriented(.halfTurned) }

    /// The middle half of the rows and of the columns, twice as large (Pillow's bicubic filter).
    package static func zoomed(_ image: Image) -> Image {
        let (width, height) = (max(1, image.width / 2), max(1, image.height / 2))
        return image.crop(x: (image.width - width) / 2, y: (image.height - height) / 2, width: width, height: height)
            .resized(width: image.width, height: image.height, filter: .bicubic)
    }
}
