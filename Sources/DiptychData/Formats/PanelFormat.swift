import TensorIO

/// How the panels of a dataset that is made are stored.
public enum PanelFormat: String, Codable, Sendable, CaseIterable {
    /// Lossless.
    case png
    /// JPEG of quality 95.
    case jpg

    /// The usual format of panels whose shorter side has so many pixels: JPEG from 128 on, where it takes half of PNG's room or
    /// less.
    init(side: Int) { self = side < 128 ? .png : .jpg }

    /// The encoder's settings.
    var imageFormat: ImageFormat { self == .png ? .png : .jpeg(quality: 95) }
}
