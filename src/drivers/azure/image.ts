import type { ImageReference } from '@azure/arm-compute';
import { DriverError } from '../driver.js';
import type { ResourceIds } from './names.js';
import type { AzureParameters } from './parameters.js';

/**
 * What `pool.imageId` stands for (AZ-14, AZ-15): the name of a managed image, the name of an image in the configured
 * gallery, the whole id of either, or `publisher:offer:sku:version` of a marketplace image. Throws
 * {@link DriverError} `invalid`.
 */
export function imageReference(
  imageId: string,
  parameters: AzureParameters,
  ids: ResourceIds,
): ImageReference {
  if (imageId === '') {
    throw new DriverError('invalid', 'Azure needs an image to make an instance from', {
      remedy: 'set pool.imageId to the name of a managed image',
    });
  }
  if (/^https?:\/\//.test(imageId)) {
    throw new DriverError('invalid', 'the image is a VHD address, and Azure has ended unmanaged disks', {
      remedy: 'make a managed image of the VHD and give its name as pool.imageId',
    });
  }
  if (imageId.startsWith('/subscriptions/')) return { id: imageId };
  const [publisher, offer, sku, version, ...more] = imageId.split(':');
  if (version !== undefined && more.length === 0) return { publisher, offer, sku, version };
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(imageId)) {
    throw new DriverError('invalid', `pool.imageId: "${imageId}" is no image`, {
      remedy: 'give the name of an image, its whole id, or publisher:offer:sku:version',
    });
  }
  const { imageResourceGroup: group, sharedImageGalleryName: gallery } = parameters;
  if (gallery === '') return { id: ids.of(group, 'Microsoft.Compute', 'images', imageId) };
  const path = [
    'galleries',
    gallery,
    'images',
    imageId,
    'versions',
    parameters.sharedImageGalleryImageVersion,
  ];
  return { id: ids.of(group, 'Microsoft.Compute', ...path) };
}
