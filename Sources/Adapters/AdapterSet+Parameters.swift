public import Autograd
import TensorCore
public import TensorIO

/// What is trained.
extension AdapterSet {
    /// Every trained parameter with its name, in an order that depends only on model and targets.
    ///
    /// Names and shapes: `{layer}.lora_A.weight` `[r, in]` (`[N r, in]` for a mixture), `{layer}.lora_B.weight` `[out, r]`
    /// (`[out, N r]`), `{layer}.lora_route.weight` `[N, in]`, `{layer}.lora_route_pooled.weight` `[N, P]`.
    public var parameters: [(name: String, parameter: Parameter)] {
        members.flatMap { member -> [(name: String, parameter: Parameter)] in
            switch member.adapter {
            case .lora(let lora):
                return [("\(member.name).lora_A.weight", lora.a), ("\(member.name).lora_B.weight", lora.b)]
            case .mixture(let mixture):
                let pooled = mixture.router.pooledWeight.map { [("\(member.name).lora_route_pooled.weight", $0)] } ?? []
                return [
                    ("\(member.name).lora_A.weight", mixture.a), ("\(member.name).lora_B.weight", mixture.b),
                    ("\(member.name).lora_route.weight", mixture.router.weight),
                ] + pooled
            }
        }
    }

    /// The number of trained elements.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.parameter.value.count } }

    /// The number of trained elements that belong to mixtures.
    public var mixtureParameterCount: Int {
        mixtures.reduce(0) { total, mixture in
            let router = mixture.router
            let parts = [mixture.a, mixture.b, router.weight] + (router.pooledWeight.map { [$0] } ?? [])
            return total + parts.reduce(0) { $0 + $1.value.count }
        }
    }

    /// The number of trained elements over that of the base.
    public var shareOfBase: Double { Double(parameterCount) / Double(max(baseParameterCount, 1)) }

    /// Replaces every parameter by the tensor of its name in `archive`, as ``parameters`` names and shapes them: how a
    /// checkpoint comes back. The archive may hold other tensors too.
    ///
    /// Throws ``FileError`` when one is missing, of another shape or not `float32`; nothing has changed then.
    public func restoreParameters(from archive: any TensorArchive, prefix: String = "") throws {
        let replacements = try parameters.map { name, parameter in
            let key = prefix + name
            let expected = "a float32 tensor of shape \(parameter.value.shape)"
            guard let info = archive.info(key) else {
                throw FileError(
                    archive.path, key: key, expected: expected, found: "none",
                    nearest: nearestName(to: key, among: archive.names))
            }
            guard info.dtype == .float32, info.shape == parameter.value.shape else {
                throw FileError(archive.path, key: key, expected: expected, found: "\(info.dtype) \(info.shape)")
            }
            return (parameter, try archive.tensor(key))
        }
        // Copied out of a mapped file, which somebody may write anew while training goes on.
        for (parameter, tensor) in replacements { parameter.replace(tensor.copied()) }
    }
}
