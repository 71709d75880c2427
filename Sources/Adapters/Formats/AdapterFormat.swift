/// The layouts of adapter files that are written.
///
/// Reading needs no choice: the keys tell the layout.
public enum AdapterFormat: String, Codable, Sendable, CaseIterable {
    /// diffusers and PEFT: `transformer.{layer}.lora_A.weight`, `lora_B.weight`, alpha in the header's
    /// `lora_adapter_metadata`. Plain LoRAs only.
    case peft
    /// ICEdit's released mixtures: `lora_A.expert_{e}.weight`, `lora_B.expert_{e}.weight`, `lora_route.weight`, plain LoRAs
    /// as ``peft`` has them. Its own programs know neither alpha nor a router that sees the text: a mixture's scale is
    /// multiplied into B, and a router with pooled text is refused.
    case icedit
    /// The keys of ``icedit`` with `lora_route_pooled.weight` beside them and every number as it is: what only this
    /// toolkit reads, and reads back exactly.
    case diptych
}
