/// The formats of adapter files that are written.
///
/// Reading needs no choice: the keys tell the format.
public enum AdapterFormat: String, Codable, Sendable, CaseIterable {
    /// diffusers and PEFT: `transformer.{layer}.lora_A.weight`, `lora_B.weight`, alpha in the header's
    /// `lora_adapter_metadata`. Plain LoRAs only.
    case peft
    /// kohya's sd-scripts: `lora_unet_{layer}.lora_down.weight`, `lora_up.weight`, `alpha`, the layer in the names of the
    /// model's authors with `_` for `.`, so that projections which these fuse are fused. Plain LoRAs only.
    case kohya
    /// ComfyUI's own: `diffusion_model.{layer}.lora_A.weight`, `lora_B.weight`, `alpha`, the layers as in ``kohya`` but with
    /// their dots. Plain LoRAs only.
    case comfyui
    /// LyCORIS as SimpleTuner writes it: `lycoris_{layer}.lora_down.weight`, `lokr_w1`, `alpha`, the layer in the model's own
    /// name with `_` for `.`.
    case lycoris
    /// ICEdit's released mixtures: `lora_A.expert_{e}.weight`, `lora_B.expert_{e}.weight`, `lora_route.weight`, plain LoRAs
    /// as ``peft`` has them. Its own programs know neither alpha nor a router that sees the text: a mixture's scale is
    /// multiplied into B, and a router with pooled text is refused.
    case icedit
    /// The keys of ``icedit`` with `lora_route_pooled.weight` beside them and every number as it is: what only this
    /// toolkit reads, and reads back exactly.
    case diptych

    /// The programs that the format is named after.
    var program: String {
        switch self {
        case .peft: "diffusers"
        case .kohya: "a file of kohya's programs"
        case .comfyui: "ComfyUI"
        case .lycoris: "LyCORIS"
        case .icedit: "ICEdit"
        case .diptych: "diptych"
        }
    }

    /// Which programs read the format, and which only seem to, in a sentence.
    public var readers: String {
        switch self {
        case .peft: "for diffusers, ComfyUI and stable-diffusion.cpp"
        case .kohya: "for sd-scripts and ComfyUI; diffusers and stable-diffusion.cpp read the layers of the blocks"
        case .comfyui: "for ComfyUI and stable-diffusion.cpp; diffusers loads nothing of it"
        case .lycoris: "for SimpleTuner and ComfyUI; diffusers loads nothing of it"
        case .icedit: "for ICEdit's own programs; diffusers and ComfyUI load nothing of its mixtures"
        case .diptych: "for diptych alone"
        }
    }

    /// Whether layers bear the names of the model's authors, which fuse some of them.
    var hasFusedLayers: Bool { self == .kohya || self == .comfyui }

    /// Whether an alpha stands beside each layer's weights.
    var hasAlphas: Bool { hasFusedLayers || self == .lycoris }

    /// Whether tensors have the names that kohya gives them.
    var hasKohyasNames: Bool { self == .kohya || self == .lycoris }

    /// Whether the programs know no alpha, so that scales are multiplied into the weights.
    var foldsScales: Bool { self == .icedit }
}
