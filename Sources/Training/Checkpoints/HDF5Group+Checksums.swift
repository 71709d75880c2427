import DiptychData
import TensorCore
import TensorIO

/// Datasets that carry a checksum of their name, type, shape and numbers, and a checksum of all the rest.
///
/// HDF5 has checksums of its own in what it keeps of a dataset, but none of the numbers: one flipped bit among them would
/// go on as another number.
extension HDF5Group {
    /// The attribute that holds a checksum.
    static let checksumAttribute = "checksum"

    /// Writes a tensor with its checksum. Throws `FileError` when the disk is full.
    func writeChecked(_ tensor: Tensor, to name: String) throws {
        try write(tensor, to: name)
        let dataset = try dataset(name)
        try dataset.setAttribute(Self.checksumAttribute, Self.sum(of: tensor, at: dataset.location))
    }

    /// Reads a tensor and compares its checksum. Throws `FileError` when it has none or is not what was written.
    func checkedTensor(_ name: String) throws -> Tensor {
        let dataset = try dataset(name)
        let tensor = try dataset.tensor()
        let expected: Int = try dataset.attribute(Self.checksumAttribute)
        guard Self.sum(of: tensor, at: dataset.location) == expected else {
            throw FileError(
                path, key: dataset.location, expected: "the values that were written",
                found: "others, by their checksum")
        }
        return tensor
    }

    private static func sum(of tensor: Tensor, at location: String) -> Int {
        var sum = Fingerprint()
        sum.add(location)
        sum.add(tensor)
        return Int(sum.word)
    }

    /// Sets the checksum of everything but the tensors' numbers: attributes, texts, and the names of all members.
    func seal() throws { try setAttribute(Self.checksumAttribute, Int(contents().word)) }

    /// Throws `FileError` unless all but the tensors' numbers is what was sealed.
    func requireSeal() throws {
        let expected: Int = try attribute(Self.checksumAttribute)
        guard Int(try contents().word) == expected else {
            throw FileError(
                path, key: Self.checksumAttribute, expected: "the numbers and texts that were written",
                found: "others, by their checksum")
        }
    }

    private func contents() throws -> Fingerprint {
        var sum = Fingerprint()
        try add(self, to: &sum)
        return sum
    }

    private func add(_ group: HDF5Group, to sum: inout Fingerprint) throws {
        sum.add(group.location)
        for name in try group.attributeNames where name != Self.checksumAttribute {
            sum.add(name)
            switch try group.attribute(name) as HDF5Attribute {
            case .string(let text): sum.add(text)
            case .strings(let texts): for text in texts { sum.add(text) }
            case .integer(let number): sum.add(number)
            case .integers(let numbers): for number in numbers { sum.add(number) }
            case .real(let number): sum.add(Int(bitPattern: UInt(number.bitPattern)))
            case .reals(let numbers): for number in numbers { sum.add(Int(bitPattern: UInt(number.bitPattern))) }
            }
        }
        for name in try group.members {
            sum.add(name)
            switch try group.kind(of: name) {
            case .group: try add(group.group(name), to: &sum)
            case .strings: for text in try group.strings(name) { sum.add(text) }
            case .tensor, .other: break
            }
        }
    }
}
