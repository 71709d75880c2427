public import Models
public import TensorCore

/// How a base is asked for an edit: what it generates, and how it is shown the source (a framework, in ICEdit's words).
///
/// A new framework is a file with a value of this protocol and a line in ``FrameworkName/all``.
public protocol EditFramework: Sendable {
    /// What configurations call it.
    var name: FrameworkName { get }
    /// The class of diffusers' pipelines that work so; a folder that names it gets this framework by itself.
    var pipelineClass: String { get }
    /// The guidance scale of an edit where none is given.
    var defaultGuidance: Float { get }
    /// The prompt forms that fit what the base was trained on, the default first.
    var promptForms: [PromptForm] { get }

    /// How the panels of a pair lie when a user asks for `choice`.
    func panelLayout(_ choice: PanelLayoutChoice, panelWidth: Int, panelHeight: Int) -> PanelLayout

    /// The channels of the transformer's input for an autoencoder of so many latent channels, and in words what they are.
    func inputs(latentChannels: Int) -> (channels: Int, words: String)

    /// The packed latents that show the model the source, `[1, tokens, 4 C]`, as caches keep them; `draw`, a normal number for each
    /// latent, draws from the autoencoder's posterior instead of taking its mode.
    ///
    /// Throws `FileError` when the autoencoder gives numbers that are not finite.
    func sourceLatents(_ diptych: Diptych, _ encoders: FrozenEncoders, drawing draw: Tensor?) throws -> Tensor

    /// What the model is given besides the noisy latents: the source, `[B, tokens, 4 C]`, and the text.
    func conditioning(
        source: Tensor, text: Tensor, pooled: Tensor, guidance: Float, geometry: DiptychGeometry
    ) -> Conditioning

    /// The noise that an edit begins with and the source as the model is shown it, drawn from a seed's numbers as `draws` says;
    /// `precision` is the type of the transformer's activations. Throws as ``sourceLatents(_:_:drawing:)`` does.
    func start(
        _ diptych: Diptych, _ encoders: FrozenEncoders, _ draws: NoiseDraws, seed: UInt64, precision: DType
    ) throws -> EditStart
}

/// What an edit begins with.
public struct EditStart: Sendable {
    /// Packed noise, `[1, tokens, 4 C]`, `float32`.
    public let noise: Tensor
    /// The source as the model is shown it, `[1, tokens, 4 C]`.
    public let source: Tensor

    /// Collects both.
    public init(noise: Tensor, source: Tensor) { (self.noise, self.source) = (noise, source) }
}

/// The name of a framework in configurations.
public struct FrameworkName: RawRepresentable, Hashable, Sendable, Codable, CaseIterable, CustomStringConvertible {
    /// Every framework.
    public static let all: [any EditFramework] = [FillFramework(), KontextFramework()]
    /// Every name.
    public static var allCases: [FrameworkName] { all.map(\.name) }

    /// ICEdit's: a diptych whose right panel is inpainted by FLUX.1 [Fill].
    public static let fill = FrameworkName("fill")
    /// FLUX.1 Kontext's: the source as tokens behind those that are generated.
    public static let kontext = FrameworkName("kontext")

    /// The word in configurations.
    public let rawValue: String
    init(_ rawValue: String) { self.rawValue = rawValue }

    /// Nil for the name of no framework.
    public init?(rawValue: String) {
        guard Self.all.contains(where: { $0.name.rawValue == rawValue }) else { return nil }
        self.rawValue = rawValue
    }

    /// The framework of this name.
    public var framework: any EditFramework { Self.all.first { $0.name == self }! }
    /// The word in configurations.
    public var description: String { rawValue }
}

extension FrameworkName {
    /// The framework of a pipeline's class; nil where its class does not tell.
    init?(pipelineClass: String) {
        guard let framework = Self.all.first(where: { $0.pipelineClass == pipelineClass }) else { return nil }
        self = framework.name
    }
}
